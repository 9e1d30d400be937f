/**
 * What a terminal prints, as accessible text: lines of escaped text with the
 * usual colours. It understands what kubectl, watch and shell tools write:
 * carriage return, backspace, tab, colours, clearing and moving up. It keeps a
 * bounded number of lines, and takes big amounts in portions of a few
 * milliseconds, so that a flood of output neither fills the page nor freezes it.
 */

/** How many lines are kept. */
export const MAX_LINES = 2000
/** How many lines, and for how many milliseconds, are drawn in one frame. */
const PORTION_LINES = 120
const PORTION_TIME = 4
/** How many characters are read between two looks at the time. */
const PIECE = 1000
/** When more characters than this wait, those that would scroll away are left out. */
const FLOOD = 96_000

interface Line { chars: string[]; styles: string[]; element: HTMLElement | null; dirty: boolean }

export class Screen {
  private lines: Line[] = []
  private row = 0
  private column = 0
  private style = ''
  private sgr = { fg: '', bold: false, dim: false, italic: false, underline: false, inverse: false }
  private rest = ''
  private queue: { text: string; error: boolean }[] = []
  /** How many characters wait to be drawn. */
  waiting = 0
  private onDrawn: (() => void)[] = []
  private scheduled = false
  /** When drawing is welcome again: it takes at most a quarter of the page's time. */
  private next = 0
  private dropped = 0
  private readonly into: HTMLElement
  private readonly cut: HTMLElement
  private readonly cutText: string
  /** Scrolled along with the output while the reader is at its end. */
  private readonly scroller: HTMLElement

  constructor(into: HTMLElement, scroller: HTMLElement, cutText: string) {
    this.into = into
    this.scroller = scroller
    this.cutText = cutText
    this.cut = document.createElement('div')
    this.cut.className = 'cut'
  }

  /** Draws text: at once when the page has had time to rest, else soon. */
  write(text: string, error = false): void {
    this.queue.push({ text, error })
    this.waiting += text.length
    if (!this.scheduled && performance.now() >= this.next) this.portion()
    if (this.queue.length) this.schedule()
  }

  /** Resolves when nothing waits to be drawn. */
  drawn(): Promise<void> {
    return this.queue.length ? new Promise(resolve => this.onDrawn.push(resolve)) : Promise.resolve()
  }

  clear(): void {
    this.queue = []
    this.waiting = 0
    this.lines = []
    this.dropped = 0
    this.row = this.column = 0
    this.into.replaceChildren()
    this.settle()
  }

  private settle(): void {
    for (const fn of this.onDrawn.splice(0)) fn()
  }

  /** Draws what is queued at once; for text that is small and known. */
  flush(): void {
    while (this.queue.length) this.portion()
  }

  private schedule(): void {
    if (this.scheduled) return
    this.scheduled = true
    let ran = false
    const go = (): void => {
      if (ran) return
      ran = true
      clearTimeout(timer)
      this.scheduled = false
      this.portion()
      if (this.queue.length) this.schedule()
    }
    // A hidden page draws no frames, but what waits for its output must go on.
    const pause = this.next - performance.now()
    const timer = setTimeout(go, Math.max(pause, 0) + 100)
    if (pause > 16) setTimeout(() => requestAnimationFrame(go), pause - 16)
    else requestAnimationFrame(go)
  }

  private portion(): void {
    const begin = performance.now()
    const atEnd = this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight < 24
    if (this.waiting > FLOOD) this.skip()
    const lines = this.row + PORTION_LINES
    do {
      const head = this.queue[0]
      if (!head) break
      let n = Math.min(PIECE, head.text.length)
      if (n < head.text.length && (head.text.charCodeAt(n - 1) & 0xfc00) === 0xd800) n-- // not in the middle of a character
      this.feed(head.text.slice(0, n), head.error)
      this.waiting -= n
      if (n < head.text.length) head.text = head.text.slice(n)
      else this.queue.shift()
    } while (this.row < lines && performance.now() - begin < PORTION_TIME)
    this.trim()
    this.render()
    if (atEnd) this.scroller.scrollTop = this.scroller.scrollHeight
    const end = performance.now()
    this.next = end + Math.max(16, 6 * (end - begin)) // as much again goes into layout and paint
    if (!this.queue.length) this.settle()
  }

  /** Leaves out what would scroll away before anyone saw it. */
  private skip(): void {
    for (const q of this.queue) {
      let lines = 0
      let at = q.text.length
      while (at > 0 && lines < PORTION_LINES * 2) {
        at = q.text.lastIndexOf('\n', at - 1)
        lines++
      }
      if (at > 0) {
        let gone = 0
        for (let i = q.text.indexOf('\n'); i >= 0 && i <= at; i = q.text.indexOf('\n', i + 1)) gone++
        this.dropped += gone
        q.text = q.text.slice(at + 1)
        this.column = 0
      }
      if (q.text.length > FLOOD / 2) q.text = q.text.slice(-FLOOD / 2)
    }
    this.waiting = this.queue.reduce((n, q) => n + q.text.length, 0)
  }

  /** Forgets the oldest lines. */
  private trim(): void {
    if (this.lines.length <= MAX_LINES + PORTION_LINES) return
    const gone = this.lines.splice(0, this.lines.length - MAX_LINES)
    for (const l of gone) l.element?.remove()
    this.dropped += gone.length
    this.row -= gone.length
  }

  private line(): Line {
    while (this.lines.length <= this.row) this.lines.push({ chars: [], styles: [], element: null, dirty: true })
    const line = this.lines[this.row]!
    line.dirty = true
    return line
  }

  private feed(text: string, error: boolean): void {
    text = this.rest + text
    this.rest = ''
    for (let i = 0; i < text.length;) {
      const c = text.codePointAt(i)!
      const ch = String.fromCodePoint(c)
      i += ch.length
      if (c === 0x1b) {
        const m = /^\x1b(?:\[([0-9;?]*)([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|[@-Z\\^_=>78])/.exec(text.slice(i - 1, i + 80))
        if (!m) {
          if (text.length - i < 80 && !text.slice(i).includes('\n')) { // cut in two
            this.rest = text.slice(i - 1)
            break
          }
          continue
        }
        i += m[0].length - 1
        if (m[2]) this.control(m[1] ?? '', m[2])
      } else if (c === 10) {
        this.line()
        this.row++
        this.column = 0
        this.line()
      } else if (c === 13) this.column = 0
      else if (c === 8) this.column = Math.max(0, this.column - 1)
      else if (c === 9) {
        const to = (Math.floor(this.column / 8) + 1) * 8
        while (this.column < to) this.put(' ', error)
      } else if (c === 7) continue
      else if (c < 32 || c === 127) this.put(String.fromCodePoint(c === 127 ? 0x2421 : 0x2400 + c), error)
      else this.put(ch, error)
    }
  }

  private put(ch: string, error: boolean): void {
    const line = this.line()
    while (line.chars.length < this.column) {
      line.chars.push(' ')
      line.styles.push('')
    }
    if (this.column > 4000) { // one endless line
      this.row++
      this.column = 0
      return this.put(ch, error)
    }
    line.chars[this.column] = ch
    line.styles[this.column] = this.style || (error ? 'err' : '')
    this.column++
  }

  private control(parameters: string, final: string): void {
    const n = Number(parameters.split(';')[0] || 0)
    switch (final) {
      case 'm':
        this.colour(parameters)
        break
      case 'A':
        this.row = Math.max(0, this.row - (n || 1))
        break
      case 'B':
        this.row += n || 1
        break
      case 'C':
        this.column += n || 1
        break
      case 'D':
        this.column = Math.max(0, this.column - (n || 1))
        break
      case 'G':
        this.column = Math.max(0, (n || 1) - 1)
        break
      case 'H':
        this.row = Math.max(0, (n || 1) - 1)
        this.column = Math.max(0, Number(parameters.split(';')[1] || 1) - 1)
        break
      case 'J':
        if (n >= 2 || (this.row === 0 && this.column === 0)) {
          const { row, column } = this
          for (const l of this.lines) l.element?.remove()
          this.lines = []
          this.row = n >= 2 ? 0 : row
          this.column = n >= 2 ? 0 : column
        } else {
          for (const l of this.lines.splice(this.row + 1)) l.element?.remove()
          this.erase(this.column)
        }
        break
      case 'K':
        if (n === 0) this.erase(this.column)
        else if (n === 2) this.erase(0)
        break
    }
  }

  private erase(from: number): void {
    const line = this.line()
    line.chars.length = Math.min(line.chars.length, from)
    line.styles.length = line.chars.length
  }

  private colour(parameters: string): void {
    const s = this.sgr
    const codes = parameters.split(';').map(Number)
    for (let i = 0; i < codes.length; i++) {
      const c = codes[i]!
      if (c === 0) this.sgr = { fg: '', bold: false, dim: false, italic: false, underline: false, inverse: false }
      else if (c === 1) s.bold = true
      else if (c === 2) s.dim = true
      else if (c === 3) s.italic = true
      else if (c === 4) s.underline = true
      else if (c === 7) s.inverse = true
      else if (c === 22) s.bold = s.dim = false
      else if (c === 23) s.italic = false
      else if (c === 24) s.underline = false
      else if (c === 27) s.inverse = false
      else if (c >= 30 && c <= 37) s.fg = `c${c - 30}`
      else if (c >= 90 && c <= 97) s.fg = `c${c - 82}`
      else if (c === 39) s.fg = ''
      else if (c === 38 || c === 48) {
        if (codes[i + 1] === 5 && c === 38 && (codes[i + 2] ?? 99) < 16) s.fg = `c${codes[i + 2]}`
        i += codes[i + 1] === 5 ? 2 : 4
      }
    }
    const now = this.sgr
    this.style = [now.fg, now.bold && 'b', now.dim && 'd', now.italic && 'i', now.underline && 'u', now.inverse && 'inv'].filter(Boolean).join(' ')
  }

  private render(): void {
    if (this.dropped > 0) {
      this.cut.textContent = `… ${this.dropped.toLocaleString()} ${this.cutText}`
      if (!this.cut.isConnected) this.into.prepend(this.cut)
    }
    const last = this.lines.length - 1
    let added: DocumentFragment | null = null
    this.lines.forEach((line, i) => {
      if (!line.dirty) return
      line.dirty = false
      if (i === last && line.chars.length === 0) { // the empty line after the last newline
        line.element?.remove()
        line.element = null
        line.dirty = true
        return
      }
      const element = (line.element ??= document.createElement('div'))
      const parts: (Node | string)[] = []
      for (let at = 0; at < line.chars.length;) {
        const style = line.styles[at] ?? ''
        let to = at
        while (to < line.chars.length && (line.styles[to] ?? '') === style) to++
        const text = line.chars.slice(at, to).join('')
        if (style) {
          const span = document.createElement('span')
          span.className = style
          span.textContent = text
          parts.push(span)
        } else parts.push(text)
        at = to
      }
      element.replaceChildren(...parts)
      if (!element.isConnected && element.parentNode === null) (added ??= document.createDocumentFragment()).append(element)
    })
    if (added) this.into.append(added)
  }
}
