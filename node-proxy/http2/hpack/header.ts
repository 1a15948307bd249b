/** A header field: lower-case name, value; both are byte strings (latin1). */
export type Header = readonly [name: string, value: string];
