/** Numbers as text: decimals of any width without rounding, 32-bit floats in their shortest form. */

/** The integer of a decimal's little-endian words. */
export function decimalInteger(words: Uint32Array): bigint {
    let value = 0n;
    for (let i = words.length - 1; i >= 0; i--) value = (value << 32n) | BigInt(words[i]!);
    return BigInt.asIntN(words.length * 32, value);
}

/** `-12.30` from -1230 and scale 2. A negative scale appends zeros. */
export function decimalText(value: bigint, scale: number): string {
    if (scale <= 0) return String(value * 10n ** BigInt(-scale));
    const digits = String(value < 0n ? -value : value).padStart(scale + 1, "0");
    return `${value < 0n ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** The shortest text that reads back as the same 64-bit float. -0 and whole floats keep the mark of a float. */
export function floatText(value: number): string {
    if (Object.is(value, -0)) return "-0.0";
    if (Number.isInteger(value) && Math.abs(value) < 1e16) return value.toFixed(1);
    return String(value).replace("Infinity", "inf");
}

/** The same for a 32-bit float: 0.1 rather than 0.10000000149011612. */
export function float32Text(value: number): string {
    if (!Number.isFinite(value) || (Number.isInteger(value) && Math.abs(value) < 1e16)) return floatText(value);
    for (let digits = 6; digits <= 9; digits++) {
        const short = Number(value.toPrecision(digits));
        if (Math.fround(short) === value) return String(short);
    }
    return String(value);
}

/** The value of IEEE half-precision bits. */
export function float16(bits: number): number {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 0x1f;
    const fraction = bits & 0x3ff;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** `1,234,567`. */
export function countText(value: number): string {
    return value.toLocaleString("en-US");
}

/** `12.3 MB`: three digits, powers of 1000. */
export function bytesText(bytes: number): string {
    const units = ["B", "kB", "MB", "GB", "TB"];
    let value = bytes;
    let unit = 0;
    while (value >= 999.5 && unit < units.length - 1) {
        value /= 1000;
        unit++;
    }
    return `${unit === 0 ? Math.round(value) : value.toPrecision(3)} ${units[unit]}`;
}

/** `3.1 million`, `27.0 thousand`, `950`: for rates. */
export function roughCount(value: number): string {
    if (value >= 1e9) return `${(value / 1e9).toFixed(1)} billion`;
    if (value >= 1e6) return `${(value / 1e6).toFixed(1)} million`;
    if (value >= 1e4) return `${(value / 1e3).toFixed(0)} thousand`;
    return countText(Math.round(value));
}
