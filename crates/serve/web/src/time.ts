/** Dates, times and durations as text, exact to the nanosecond: JavaScript's `Date` alone knows milliseconds. */

/** Ticks per second, by Arrow's `TimeUnit`: second, millisecond, microsecond, nanosecond. */
const PER_SECOND = [1n, 1_000n, 1_000_000n, 1_000_000_000n] as const;
const UNITS = ["s", "ms", "µs", "ns"] as const;
const DIGITS = [0, 3, 6, 9] as const;
/** The last millisecond that `Date` can hold, on either side of 1970. */
const DATE_LIMIT = 8.64e15;

export type Unit = 0 | 1 | 2 | 3;

/** `2013-01-01`, from days since 1970. */
export function dateText(days: number): string {
    const milliseconds = days * 86_400_000;
    return Math.abs(milliseconds) <= DATE_LIMIT ? dayOf(milliseconds) : `${days} days since 1970`;
}

/** `05:15:00.25`, from ticks since midnight. Trailing zeros of the fraction are left out. */
export function timeText(ticks: bigint, unit: Unit): string {
    const { seconds, fraction } = split(ticks, unit);
    const pad = (value: bigint) => String(value).padStart(2, "0");
    return `${pad(seconds / 3600n)}:${pad((seconds / 60n) % 60n)}:${pad(seconds % 60n)}${fraction}`;
}

/** `2013-01-01 05:15:00`, and the offset from UTC for a column that has a time zone. */
export function timestampText(ticks: bigint, unit: Unit, zone?: string | null): string {
    const { seconds, fraction } = split(ticks, unit);
    const milliseconds = Number(seconds) * 1000;
    if (Math.abs(milliseconds) > DATE_LIMIT) return `${ticks} ${UNITS[unit]} since 1970`;
    const offset = zone ? zoneOffset(milliseconds, zone) : null;
    const local = milliseconds + (offset ?? 0);
    const text = `${dayOf(local)} ${new Date(local).toISOString().slice(-13, -5)}${fraction}`;
    if (!zone) return text;
    return offset === null ? `${text} UTC (${zone})` : text + offsetText(offset);
}

/** `1d 2h 3m 4s 5ms`, the way Polars prints durations. */
export function durationText(ticks: bigint, unit: Unit): string {
    if (ticks === 0n) return `0${UNITS[unit]}`;
    const sign = ticks < 0n ? "-" : "";
    let rest = ticks < 0n ? -ticks : ticks;
    const parts: string[] = [];
    const second = PER_SECOND[unit];
    const steps: [bigint, string][] = [
        [86_400n * second, "d"],
        [3_600n * second, "h"],
        [60n * second, "m"],
        [second, "s"],
    ];
    for (let finer = 1; finer <= unit; finer++) steps.push([second / PER_SECOND[finer as Unit], UNITS[finer as Unit]]);
    for (const [size, name] of steps) {
        if (rest >= size) parts.push(`${rest / size}${name}`);
        rest %= size;
    }
    return sign + parts.join(" ");
}

/** Milliseconds since 1970, with fractions, as charts take them. With a zone: those of its wall clock. */
export function chartMilliseconds(ticks: bigint, unit: Unit, zone?: string | null): number {
    const whole = Number(ticks) / Number(PER_SECOND[unit]);
    const milliseconds = whole * 1000;
    return milliseconds + (zone ? (zoneOffset(milliseconds, zone) ?? 0) : 0);
}

function split(ticks: bigint, unit: Unit): { seconds: bigint; fraction: string } {
    const per = PER_SECOND[unit];
    let seconds = ticks / per;
    let rest = ticks % per;
    if (rest < 0n) {
        seconds -= 1n;
        rest += per;
    }
    const fraction = rest === 0n ? "" : `.${String(rest).padStart(DIGITS[unit], "0").replace(/0+$/, "")}`;
    return { seconds, fraction };
}

function dayOf(milliseconds: number): string {
    return new Date(milliseconds).toISOString().replace(/T.*$/, "");
}

const clocks = new Map<string, Intl.DateTimeFormat | null>();

/** Milliseconds to add to UTC for a zone's wall clock at that moment; `null` for a zone that the browser lacks. */
function zoneOffset(milliseconds: number, zone: string): number | null {
    if (zone === "UTC") return 0;
    let clock = clocks.get(zone);
    if (clock === undefined) {
        clock = makeClock(zone);
        clocks.set(zone, clock);
    }
    // Before the year 1 the calendar counts eras, which the parts below do not tell apart.
    if (!clock || milliseconds < -62_135_596_800_000 || Math.abs(milliseconds) > DATE_LIMIT - 1e8) return clock ? 0 : null;
    const at: Record<string, number> = {};
    for (const part of clock.formatToParts(milliseconds)) at[part.type] = Number(part.value);
    const local = new Date(0);
    local.setUTCFullYear(at["year"] ?? 1970, (at["month"] ?? 1) - 1, at["day"] ?? 1);
    local.setUTCHours(at["hour"] ?? 0, at["minute"] ?? 0, at["second"] ?? 0);
    return local.getTime() - Math.floor(milliseconds / 1000) * 1000;
}

function makeClock(zone: string): Intl.DateTimeFormat | null {
    try {
        return new Intl.DateTimeFormat("en-US", {
            timeZone: zone,
            hourCycle: "h23",
            year: "numeric",
            month: "numeric",
            day: "numeric",
            hour: "numeric",
            minute: "numeric",
            second: "numeric",
        });
    } catch {
        return null;
    }
}

/** `-05:00`; with seconds for the local mean times of before 1900. */
function offsetText(offset: number): string {
    const total = Math.abs(Math.round(offset / 1000));
    const pad = (value: number) => String(value).padStart(2, "0");
    const seconds = total % 60 === 0 ? "" : `:${pad(total % 60)}`;
    return `${offset < 0 ? "-" : "+"}${pad(Math.floor(total / 3600))}:${pad(Math.floor(total / 60) % 60)}${seconds}`;
}
