/** The page's one dialog: layouts, the history, long values. The browser keeps the focus in it and gives it back. */

import { byId } from "./dom.js";

let onClosed: (() => void) | null = null;

export function showDialog(title: string, content: HTMLElement, closed?: () => void): void {
    const dialog = byId<HTMLDialogElement>("dialog");
    byId("dialog-title").textContent = title;
    byId("dialog-body").replaceChildren(content);
    onClosed?.();
    onClosed = closed ?? null;
    byId("dialog-close").onclick = closeDialog;
    dialog.onclose = () => {
        byId("dialog-body").replaceChildren();
        onClosed?.();
        onClosed = null;
    };
    // A click beside the dialog hits the dialog element itself.
    dialog.onclick = (event) => {
        if (event.target === dialog) closeDialog();
    };
    if (!dialog.open) dialog.showModal();
}

export function closeDialog(): void {
    byId<HTMLDialogElement>("dialog").close();
}
