/** A server that answers like floe's, for streams that a real one sends only when something goes wrong. */

import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export async function serve(listener: RequestListener): Promise<{ base: string; close(): Promise<void> }> {
    const server: Server = createServer(listener);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const close = () =>
        new Promise<void>((resolve) => {
            server.closeAllConnections();
            server.close(() => resolve());
        });
    return { base: `http://127.0.0.1:${port}/`, close };
}
