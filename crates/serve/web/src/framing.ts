/**
 * Follows the messages of an Arrow IPC stream without decoding them, to know whether its end marker came.
 *
 * A server that fails in the middle of a result stops sending. When that happens between two messages, a decoder takes
 * the part for the whole. Only the end marker (`FFFFFFFF 00000000`) tells them apart, and its bytes may also stand in a
 * column: so messages are counted off by their lengths.
 *
 *     FFFFFFFF | metadata length | metadata (a flatbuffer) | body
 */

const CONTINUATION = 0xffffffff;
/** Field 3 of the flatbuffer table `Message`: its slot in the vtable, after the two sizes. */
const BODY_LENGTH_SLOT = 4 + 2 * 3;

type State = { at: "prefix" | "length" | "metadata"; need: number } | { at: "body"; left: number } | { at: "end" };

export class Framing {
    private state: State = { at: "prefix", need: 4 };
    private held: Uint8Array[] = [];
    private heldBytes = 0;

    /** Whether the stream is complete. */
    get ended(): boolean {
        return this.state.at === "end";
    }

    push(chunk: Uint8Array): void {
        let rest = chunk;
        while (rest.length > 0 && this.state.at !== "end") {
            if (this.state.at === "body") {
                const skipped = Math.min(this.state.left, rest.length);
                this.state.left -= skipped;
                rest = rest.subarray(skipped);
                if (this.state.left === 0) this.state = { at: "prefix", need: 4 };
                continue;
            }
            const taken = rest.subarray(0, this.state.need - this.heldBytes);
            this.held.push(taken);
            this.heldBytes += taken.length;
            rest = rest.subarray(taken.length);
            if (this.heldBytes === this.state.need) this.step(this.take());
        }
    }

    private take(): DataView {
        const bytes = new Uint8Array(this.heldBytes);
        let at = 0;
        for (const part of this.held) {
            bytes.set(part, at);
            at += part.length;
        }
        this.held = [];
        this.heldBytes = 0;
        return new DataView(bytes.buffer);
    }

    private step(bytes: DataView): void {
        if (this.state.at === "prefix" && bytes.getUint32(0, true) === CONTINUATION) {
            this.state = { at: "length", need: 4 };
        } else if (this.state.at === "metadata") {
            const left = bodyLength(bytes);
            this.state = left > 0 ? { at: "body", left } : { at: "prefix", need: 4 };
        } else {
            // Before Arrow 0.15, the length came without the continuation.
            const length = bytes.getInt32(0, true);
            this.state = length > 0 ? { at: "metadata", need: length } : { at: "end" };
        }
    }
}

/** The body's length that a message's metadata states; 0 when it states none. */
function bodyLength(metadata: DataView): number {
    try {
        const table = metadata.getUint32(0, true);
        const vtable = table - metadata.getInt32(table, true);
        if (metadata.getUint16(vtable, true) <= BODY_LENGTH_SLOT) return 0;
        const field = metadata.getUint16(vtable + BODY_LENGTH_SLOT, true);
        return field === 0 ? 0 : Number(metadata.getBigInt64(table + field, true));
    } catch {
        // Offsets outside of the metadata. The decoder, which reads the same bytes, says what is wrong with them.
        return 0;
    }
}
