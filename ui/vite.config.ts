import { fileURLToPath } from "node:url";

import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

/** Where `npm run dev` finds a running node. */
const node = process.env["FLOWORK_DEV_NODE"] ?? "http://127.0.0.1:7717";
const served = ["/v1", "/health", "/ready", "/openapi.json"];

export default defineConfig({
  plugins: [react(), tailwindcss()],
  resolve: { alias: { "~": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: {
    outDir: "dist",
    // The node sends `script-src 'self'`: nothing may end up inline, not even a small asset.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700,
  },
  server: {
    // The desktop app's own pages are tried by the tests here, and a page shows a piece of the documentation.
    fs: { allow: [".", "../src-tauri/pages", "../docs"] },
    proxy: {
      ...Object.fromEntries(served.map((path) => [path, { target: node, changeOrigin: true }])),
      "/ws": { target: node, changeOrigin: true, ws: true },
    },
  },
  test: {
    environment: "jsdom",
    setupFiles: ["./src/test-setup.ts"],
    restoreMocks: true,
    // A machine that builds something else beside may be ten times slower.
    testTimeout: 60_000,
    include: ["src/**/*.test.{ts,tsx}"],
  },
});
