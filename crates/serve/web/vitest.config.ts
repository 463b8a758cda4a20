import { defineConfig } from "vitest/config";

// Machines of CI are slow at times: a test is failed for what it finds, hardly ever for its time.
export default defineConfig({ test: { include: ["test/**/*.test.ts"], testTimeout: 60_000, reporters: ["dot"] } });
