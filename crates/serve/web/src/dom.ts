/** Elements made in code. Text always goes through `textContent`: data never becomes markup. */

type Child = Node | string | null | undefined;
type Listener = (event: Event) => void;

export interface Attributes {
    class?: string;
    /** A handler of `click`. */
    onclick?: Listener;
    [name: string]: string | number | boolean | Listener | undefined | null;
}

/** An element with attributes, handlers (`on...`) and children. `false`, `null` and `undefined` leave an attribute out. */
export function el<K extends keyof HTMLElementTagNameMap>(
    tag: K,
    attributes: Attributes = {},
    ...children: Child[]
): HTMLElementTagNameMap[K] {
    const node = document.createElement(tag);
    set(node, attributes);
    for (const child of children) if (child !== null && child !== undefined) node.append(child);
    return node;
}

const SVG = "http://www.w3.org/2000/svg";

/** The same for SVG. */
export function svg(tag: string, attributes: Attributes = {}, ...children: Child[]): SVGElement {
    const node = document.createElementNS(SVG, tag) as SVGElement;
    set(node, attributes);
    for (const child of children) if (child !== null && child !== undefined) node.append(child);
    return node;
}

function set(node: Element, attributes: Attributes): void {
    for (const [name, value] of Object.entries(attributes)) {
        if (value === undefined || value === null || value === false) continue;
        if (typeof value === "function") node.addEventListener(name.slice(2), value);
        else node.setAttribute(name, value === true ? "" : String(value));
    }
}

/** The element of index.html that has this id. It is part of the page, so its absence is a mistake of ours. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
    const found = document.getElementById(id);
    if (!found) throw new Error(`index.html has no element "${id}"`);
    return found as T;
}
