/**
 * A line discipline: what a terminal does between the keys and the shell. Keys
 * edit a line (arrows, Home, End, word jumps, history, Tab), Enter hands it
 * over, Ctrl-C and Ctrl-D are said as such. It knows no xterm and no cluster,
 * only a way to write to the screen.
 */
export interface LineHost {
  write(text: string): void
  columns(): number
  /** Enter was pressed on a whole line. */
  line(text: string): void
  interrupt(): void
  endOfFile(): void
  clear(): void
  complete(before: string): Promise<{ words: string[]; start: number }>
}

/** Columns that a character takes. */
export function width(ch: string): number {
  const c = ch.codePointAt(0) ?? 0
  if (c < 32 || (c >= 0x300 && c < 0x370) || c === 0x200b || (c >= 0xfe00 && c <= 0xfe0f)) return 0
  return (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) || (c >= 0xac00 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) || (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) || (c >= 0xffe0 && c <= 0xffe6) || (c >= 0x1f300 && c <= 0x1faff) ? 2 : 1
}

const plain = (s: string): string => s.replace(/\x1b\[[0-9;]*m/g, '')

export class LineEditor {
  history: string[] = []
  private prompt = ''
  private chars: string[] = []
  private at = 0
  private row = 0 // of the cursor, below the prompt's first row
  private place = 0 // in the history
  private draft = ''
  private active = false
  private busy = false // waiting for completions
  private held = ''
  private readonly host: LineHost

  constructor(host: LineHost) { this.host = host }

  get text(): string { return this.chars.join('') }

  /** Shows a prompt and begins a line. */
  begin(prompt: string, remember = true): void {
    this.prompt = prompt
    this.chars = []
    this.at = this.row = 0
    this.place = this.history.length
    this.draft = ''
    this.active = true
    this.remember = remember
    this.draw()
  }
  private remember = true

  /** A program has printed this where the line begins: its prompt. */
  behind(prompt: string): void {
    if (this.chars.length === 0) this.prompt = prompt
  }

  /** What was typed, as xterm tells it. */
  input(data: string): void {
    if (this.busy) {
      this.held += data
      return
    }
    for (let i = 0; i < data.length && !this.busy;) {
      const m = /^\x1b(?:\[[0-9;]*[A-Za-z~]|O[A-Z]|[a-zA-Z\x7f])/.exec(data.slice(i))
      const key = m ? m[0] : String.fromCodePoint(data.codePointAt(i)!)
      i += key.length
      this.key(key)
      if (this.busy) this.held += data.slice(i)
    }
  }

  private key(key: string): void {
    switch (key) {
      case '\r': case '\n': return this.enter()
      case '\x03': // Ctrl-C
        this.host.write('^C\r\n')
        this.chars = []
        this.at = this.row = 0
        return this.host.interrupt()
      case '\x04': // Ctrl-D
        if (this.chars.length === 0) this.host.endOfFile()
        else this.remove(this.at, this.at + 1)
        return
      case '\x0c': // Ctrl-L
        this.host.clear()
        this.row = 0
        return this.draw()
      case '\t': return this.tab()
      case '\x7f': case '\b': if (this.at > 0) this.remove(this.at - 1, this.at); return
      case '\x1b[3~': return this.remove(this.at, this.at + 1)
      case '\x1b[D': case '\x1bOD': case '\x02': return this.move(this.at - 1)
      case '\x1b[C': case '\x1bOC': case '\x06': return this.move(this.at + 1)
      case '\x1b[H': case '\x1bOH': case '\x01': case '\x1b[1~': return this.move(0)
      case '\x1b[F': case '\x1bOF': case '\x05': case '\x1b[4~': return this.move(this.chars.length)
      case '\x1b[1;5D': case '\x1bb': return this.move(this.wordLeft())
      case '\x1b[1;5C': case '\x1bf': return this.move(this.wordRight())
      case '\x17': case '\x1b\x7f': return this.remove(this.wordLeft(), this.at)
      case '\x15': return this.remove(0, this.at)
      case '\x0b': return this.remove(this.at, this.chars.length)
      case '\x1b[A': case '\x1bOA': case '\x10': return this.recall(this.place - 1)
      case '\x1b[B': case '\x1bOB': case '\x0e': return this.recall(this.place + 1)
    }
    if (key.length > 1 && key[0] === '\x1b') return
    if (key < ' ') return
    this.chars.splice(this.at++, 0, key)
    if (this.active && this.at === this.chars.length && this.column() % this.host.columns() !== 0) this.host.write(key)
    else this.draw()
  }

  private enter(): void {
    this.move(this.chars.length)
    const text = this.text
    this.host.write('\r\n')
    this.chars = []
    this.at = this.row = 0
    if (this.remember && text.trim() && this.history.at(-1) !== text) {
      this.history.push(text)
      if (this.history.length > 500) this.history.shift()
    }
    this.prompt = ''
    this.place = this.history.length
    this.host.line(text)
  }

  private remove(from: number, to: number): void {
    this.chars.splice(from, to - from)
    this.at = from
    this.draw()
  }

  private move(to: number): void {
    this.at = Math.max(0, Math.min(this.chars.length, to))
    this.draw()
  }

  private wordLeft(): number {
    let i = this.at
    while (i > 0 && this.chars[i - 1] === ' ') i--
    while (i > 0 && this.chars[i - 1] !== ' ') i--
    return i
  }

  private wordRight(): number {
    let i = this.at
    while (i < this.chars.length && this.chars[i] === ' ') i++
    while (i < this.chars.length && this.chars[i] !== ' ') i++
    return i
  }

  private recall(place: number): void {
    if (!this.remember || place < 0 || place > this.history.length) return
    if (this.place === this.history.length) this.draft = this.text
    this.place = place
    this.chars = [...(place === this.history.length ? this.draft : this.history[place]!)]
    this.at = this.chars.length
    this.draw()
  }

  private tab(): void {
    if (!this.remember) return
    this.busy = true
    const before = this.chars.slice(0, this.at).join('')
    this.host.complete(before).catch(() => ({ words: [], start: 0 })).then(({ words, start }) => {
      const typed = before.slice(start)
      const fits = words.filter(w => w.startsWith(typed))
      let common = fits[0] ?? typed
      for (const w of fits) while (!w.startsWith(common)) common = common.slice(0, -1)
      const whole = fits.length === 1 && !common.endsWith('/') ? common + ' ' : common
      if (whole.length > typed.length) {
        const more = [...whole.slice(typed.length)]
        this.chars.splice(this.at, 0, ...more)
        this.at += more.length
        this.draw()
      } else if (fits.length > 1) {
        const w = Math.max(...fits.map(f => f.length)) + 2
        const per = Math.max(1, Math.floor(this.host.columns() / w))
        let list = '\r\n'
        fits.slice(0, 200).forEach((f, i) => { list += f.padEnd(w) + ((i + 1) % per === 0 ? '\r\n' : '') })
        this.host.write(list.replace(/(\r\n)?$/, '\r\n'))
        this.row = 0
        this.draw()
      }
      this.busy = false
      const held = this.held
      this.held = ''
      if (held) this.input(held)
    })
  }

  private column(to = this.at): number {
    let n = 0
    for (const ch of plain(this.prompt)) n += width(ch)
    for (let i = 0; i < to; i++) n += width(this.chars[i]!)
    return n
  }

  private draw(): void {
    const columns = this.host.columns()
    let out = this.row > 0 ? `\x1b[${this.row}A` : ''
    out += `\r\x1b[J${this.prompt}${this.text}`
    const end = this.column(this.chars.length), here = this.column()
    if (end > 0 && end % columns === 0) out += ' \r' // so that the cursor stands on the next row
    const endRow = Math.floor(end / columns)
    this.row = Math.floor(here / columns)
    if (endRow > this.row) out += `\x1b[${endRow - this.row}A`
    out += '\r'
    if (here % columns > 0) out += `\x1b[${here % columns}C`
    this.host.write(out)
  }
}
