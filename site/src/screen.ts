/**
 * What a terminal prints, as accessible text: lines of escaped text with the
 * usual colours. It understands what kubectl, watch and shell tools write:
 * carriage return, backspace, tab, colours, clearing and moving up. It keeps a
 * bounded number of lines, and takes big amounts in portions, so that a flood
 * of output neither fills the page nor freezes it.
 */

/** How many lines are kept. */
export const MAX_LINES = 2000
/** How many characters are drawn in one frame. */
const PORTION = 24_000

interface Line { chars: string[]; styles: string[]; element: HTMLElement | null; dirty: boolean }

export class Screen {
  private lines: Line[] = []
  private row = 0
  private column = 0
  private style = ''
  private sgr = { fg: '', bold: false, dim: false, italic: false, underline: false, inverse: false }
  private rest = ''
  private queue: { text: string; error: boolean; shown?: () => void }[] = []
  private scheduled = false
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

  /** Queues text; shown is called once it is on the page. */
  write(text: string, error = false, shown?: () => void): void {
    this.queue.push({ text, error, shown })
    this.schedule()
  }

  clear(): void {
    this.queue = []
    this.lines = []
    this.dropped = 0
    this.row = this.column = 0
    this.into.replaceChildren()
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
    const timer = setTimeout(go, 100)
    requestAnimationFrame(go)
  }

  private portion(): void {
    const atEnd = this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight < 24
    this.skip()
    let budget = PORTION
    const shown: (() => void)[] = []
    while (this.queue.length && budget > 0) {
      const head = this.queue[0]!
      const piece = head.text.slice(0, budget)
      budget -= piece.length
      this.feed(piece, head.error)
      if (piece.length < head.text.length) head.text = head.text.slice(piece.length)
      else {
        this.queue.shift()
        if (head.shown) shown.push(head.shown)
      }
    }
    this.render()
    if (atEnd) this.scroller.scrollTop = this.scroller.scrollHeight
    for (const fn of shown) fn()
  }

  /** Leaves out what would scroll away before anyone saw it. */
  private skip(): void {
    const waiting = this.queue.reduce((n, q) => n + q.text.length, 0)
    if (waiting < 4 * PORTION) return
    for (const q of this.queue) {
      let lines = 0
      let at = q.text.length
      while (at > 0 && lines < MAX_LINES / 4) {
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
      if (q.text.length > 2 * PORTION) q.text = q.text.slice(-2 * PORTION)
    }
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
    if (this.lines.length > MAX_LINES + 200) {
      const gone = this.lines.splice(0, this.lines.length - MAX_LINES)
      for (const l of gone) l.element?.remove()
      this.dropped += gone.length
      this.row -= gone.length
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
