/** The server's token: out of the address, kept for this tab, asked for when it is missing. */

import { takeToken } from "./api.js";
import { closeDialog, showDialog } from "./dialog.js";
import { el } from "./dom.js";

const KEY = "floe.token";

/** The token comes once, in the address, and must not stay there: addresses are shared and kept in histories. */
export function findToken(): string | null {
    const { token, clean } = takeToken(location.href);
    if (token === null) return kept();
    keep(token);
    history.replaceState(null, "", clean);
    return token;
}

/** Asks for the token in the page's dialog. */
export function askToken(onToken: (token: string) => void): void {
    const input = el("input", { type: "password", id: "token", autocomplete: "off", required: true });
    const submit = (event: Event) => {
        event.preventDefault();
        keep(input.value);
        closeDialog();
        onToken(input.value);
    };
    const form = el(
        "form",
        { class: "token-form", onsubmit: submit },
        el("label", { for: "token" }, "It was given to the server as --token or in the environment as FLOE_TOKEN. It is kept until this tab is closed."),
        input,
        el("button", { class: "primary" }, "Use"),
    );
    showDialog("This server asks for a token", form);
    input.focus();
}

function kept(): string | null {
    try {
        return sessionStorage.getItem(KEY);
    } catch {
        return null;
    }
}

function keep(token: string): void {
    try {
        sessionStorage.setItem(KEY, token);
    } catch {
        // Without storage, a reload asks for the token again.
    }
}
