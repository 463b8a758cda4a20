/** The SQL editor: CodeMirror with completion of the catalog's names, and errors marked at their place. */

import { autocompletion, closeBrackets, closeBracketsKeymap, closeCompletion, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { PostgreSQL, sql } from "@codemirror/lang-sql";
import { bracketMatching, HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { setDiagnostics } from "@codemirror/lint";
import { Compartment, EditorState, Prec, type Extension } from "@codemirror/state";
import { drawSelection, EditorView, highlightSpecialChars, keymap, lineNumbers, placeholder } from "@codemirror/view";
import { tags } from "@lezer/highlight";

export interface EditorEvents {
    onRun(): void;
    onChange(text: string): void;
}

/** Column names by table. */
export type Names = Record<string, string[]>;

export class Editor {
    private readonly view: EditorView;
    private readonly language = new Compartment();

    constructor(parent: HTMLElement, text: string, events: EditorEvents) {
        const run = () => {
            closeCompletion(this.view);
            events.onRun();
            return true;
        };
        this.view = new EditorView({
            parent,
            state: EditorState.create({
                doc: text,
                extensions: [
                    // Before the default keys, in which Mod-Enter opens a line.
                    Prec.highest(keymap.of([{ key: "Mod-Enter", run }])),
                    lineNumbers(),
                    highlightSpecialChars(),
                    history(),
                    drawSelection(),
                    bracketMatching(),
                    closeBrackets(),
                    autocompletion({ icons: false }),
                    // No key for Tab: it leaves the editor, so that the keyboard is never caught in it.
                    keymap.of([...closeBracketsKeymap, ...completionKeymap, ...historyKeymap, ...defaultKeymap]),
                    EditorView.lineWrapping,
                    EditorView.contentAttributes.of({ "aria-label": "SQL query. Control and Enter runs it", id: "sql-text" }),
                    EditorView.updateListener.of((update) => {
                        if (update.docChanged) events.onChange(this.text);
                    }),
                    placeholder("SELECT …"),
                    this.language.of(language({})),
                    look,
                ],
            }),
        });
    }

    get text(): string {
        return this.view.state.doc.toString();
    }

    set text(text: string) {
        this.view.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: text } });
        this.clearError();
    }

    focus(): void {
        this.view.focus();
    }

    /** Puts text where the cursor is. */
    insert(text: string): void {
        this.view.dispatch(this.view.state.replaceSelection(text));
        this.view.focus();
    }

    setNames(names: Names): void {
        this.view.dispatch({ effects: this.language.reconfigure(language(names)) });
    }

    /** Marks an error at a line and column that count from 1, and moves the cursor there. */
    showError(message: string, line: number, column = 1): void {
        const { from, to } = errorSpan(this.text, line, column);
        this.view.dispatch(setDiagnostics(this.view.state, [{ from, to, severity: "error", message }]));
        this.view.dispatch({ selection: { anchor: from }, scrollIntoView: true });
    }

    clearError(): void {
        this.view.dispatch(setDiagnostics(this.view.state, []));
    }
}

/** The characters that an error at a line and column is about: the word there, or one character at the text's end. */
export function errorSpan(text: string, line: number, column: number): { from: number; to: number } {
    const lines = text.split("\n");
    if (line > lines.length) return errorSpan(text, lines.length, Infinity);
    const at = Math.min(Math.max(line, 1), lines.length) - 1;
    const start = lines.slice(0, at).reduce((sum, before) => sum + before.length + 1, 0);
    const content = lines[at] ?? "";
    // Columns count characters; CodeMirror counts UTF-16 units.
    const before = Array.from(content).slice(0, Math.max(0, column - 1)).join("").length;
    const word = /^(?:"[^"]*"?|'[^']*'?|[\p{L}\p{N}_]+|\S)/u.exec(content.slice(before));
    if (word) return { from: start + before, to: start + before + word[0].length };
    // Past the end, as for a missing parenthesis: the last character that is there.
    const end = start + content.trimEnd().length;
    return { from: Math.max(start, end - 1), to: end };
}

function language(schema: Names): Extension {
    return sql({ dialect: PostgreSQL, schema, upperCaseKeywords: true });
}

const look: Extension = [
    EditorView.theme({
        "&": { color: "var(--text)", backgroundColor: "var(--surface)", fontSize: "14px" },
        "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "-1px" },
        ".cm-content": { fontFamily: "var(--mono)", caretColor: "var(--text)", padding: "10px 0" },
        ".cm-scroller": { maxHeight: "38vh", minHeight: "92px" },
        ".cm-cursor": { borderLeftColor: "var(--text)" },
        ".cm-gutters": { backgroundColor: "transparent", color: "var(--dim)", border: "none" },
        "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
            backgroundColor: "var(--selection)",
        },
        ".cm-tooltip": { backgroundColor: "var(--raised)", color: "var(--text)", border: "1px solid var(--line)" },
        ".cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--on-accent)" },
        ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--bad) 1.5px", textUnderlineOffset: "3px" },
        ".cm-diagnostic": { whiteSpace: "pre-wrap", maxWidth: "60ch" },
    }),
    syntaxHighlighting(
        HighlightStyle.define([
            { tag: tags.keyword, color: "var(--keyword)", fontWeight: "600" },
            { tag: [tags.string, tags.special(tags.string)], color: "var(--string)" },
            { tag: [tags.number, tags.bool, tags.null], color: "var(--number)" },
            { tag: tags.comment, color: "var(--dim)", fontStyle: "italic" },
            { tag: tags.typeName, color: "var(--number)" },
        ]),
    ),
];
