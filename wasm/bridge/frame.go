// Package bridge and site/src/protocol.ts are the two ends of one wire: the
// messages between a page and the program that holds its cluster.
//
// A message is a frame: a JSON object with a kind and, where it belongs to a
// request, an id; bytes travel beside the JSON in the field data and are never
// text. Whoever uses the cluster (the page) sends requests with ids of its own
// choosing, counting up from 1. The cluster answers each request once, with a
// frame of kind "reply" or "error" that carries the request's id. Requests that
// go on (run, watch) are answered by "exit" or "done" instead, after any number
// of event frames under the same id. Frames of kind "notice" and "state" carry
// no id and may come at any time. The first request is "hello"; both ends speak
// only if their protocol numbers are equal. Unknown fields are ignored, unknown
// kinds are answered with an error, nothing is ever answered with silence.
//
// The two files change together: wasm/bridge/twin_test.go compares them.
package bridge

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Protocol is the number of this version of the protocol.
const Protocol = 1

// The kinds of frames from the page to the cluster.
const (
	KindHello     = "hello"     // protocol → protocol, version
	KindOpen      = "open"      // name, seed, nodes, cloud, storage, speed, start → state and restored; boots or restores the cluster
	KindPrepare   = "prepare"   // nodes; before open: boots a cluster in memory and forgets it, so that all code is compiled
	KindRun       = "run"       // terminal, script, columns, rows, interactive, beside → output*, ask*, edit*, exit
	KindStdin     = "stdin"     // run, data, eof
	KindInterrupt = "interrupt" // run; as Ctrl-C
	KindKill      = "kill"      // run; as closing the terminal
	KindResize    = "resize"    // run, columns, rows
	KindAck       = "ack"       // run, bytes: how much output has been shown since the last ack; not answered
	KindEdited    = "edited"    // run, edit, text, ok: the editor was closed
	KindFetch     = "fetch"     // method, path, headers, data → status, headers, data
	KindWatch     = "watch"     // path → change*, done
	KindStop      = "stop"      // watch: the id of the watch to end
	KindRead      = "read"      // path → data
	KindWrite     = "write"     // path, data
	KindList      = "list"      // path → entries
	KindRemove    = "remove"    // path
	KindURL       = "url"       // path (a URL), data: what programs in the cluster get when they fetch that URL
	KindSteps     = "steps"     // script → steps: how a script falls into commands
	KindComplete  = "complete"  // terminal, script, column → words, column
	KindSnapshot  = "snapshot"  // → data
	KindRestore   = "restore"   // data → state
	KindReset     = "reset"     // seed, nodes (both optional) → state
	KindSpeed     = "speed"     // speed → state
	KindPause     = "pause"     // paused → state
	KindStep      = "step"      // runs up to the next timer → state
	KindStatus    = "status"    // → state
	KindClose     = "close"     // saves and ends
)

// The kinds of frames from the cluster to the page.
const (
	KindReply  = "reply"  // id and what the request asks for
	KindError  = "error"  // id, code, message
	KindOutput = "output" // id, stream (1 or 2), data
	KindExit   = "exit"   // id, status, path (the working directory afterwards)
	KindAsk    = "ask"    // id: the program waits for something to be typed
	KindEdit   = "edit"   // id (of the run), edit, name, text: open an editor, answer with edited
	KindClear  = "clear"  // id: the program empties the screen
	KindChange = "change" // id (of the watch), data: one JSON object {type, object} a line
	KindDone   = "done"   // id: the watch has ended
	KindNotice = "notice" // level, code, message: something the reader should know
	KindState  = "state"  // now, speed, paused, busy, storage, saved: sent when one of them changes by itself
)

// Frame is one message. Which fields a kind uses is said beside the kind.
type Frame struct {
	ID   int    `json:"id,omitempty"`
	Kind string `json:"kind"`

	Protocol int    `json:"protocol,omitempty"`
	Version  string `json:"version,omitempty"`

	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	Level   string `json:"level,omitempty"`

	Name     string  `json:"name,omitempty"`
	Seed     uint64  `json:"seed,omitempty"`
	Nodes    string  `json:"nodes,omitempty"` // a number, or CPU/MEMORY of each; "0" is no cluster
	Cloud    bool    `json:"cloud,omitempty"` // services of type LoadBalancer get addresses
	Storage  string  `json:"storage,omitempty"`
	Start    int64   `json:"start,omitempty"` // milliseconds since 1970
	Speed    float64 `json:"speed,omitempty"`
	Paused   bool    `json:"paused,omitempty"`
	Busy     bool    `json:"busy,omitempty"`
	Saved    bool    `json:"saved,omitempty"`
	Restored bool    `json:"restored,omitempty"`
	Now      int64   `json:"now,omitempty"` // milliseconds since 1970, virtual

	Terminal    string `json:"terminal,omitempty"`
	Script      string `json:"script,omitempty"`
	Columns     int    `json:"columns,omitempty"`
	Rows        int    `json:"rows,omitempty"`
	Interactive bool   `json:"interactive,omitempty"`
	Beside      bool   `json:"beside,omitempty"`
	Run         int    `json:"run,omitempty"`
	Watch       int    `json:"watch,omitempty"`
	Stream      int    `json:"stream,omitempty"`
	EOF         bool   `json:"eof,omitempty"`
	Bytes       int    `json:"bytes,omitempty"`
	Edit        int    `json:"edit,omitempty"`
	Text        string `json:"text,omitempty"`
	OK          bool   `json:"ok,omitempty"`
	Column      int    `json:"column,omitempty"`

	Method  string            `json:"method,omitempty"`
	Path    string            `json:"path,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Status  int               `json:"status,omitempty"`

	Entries []Entry  `json:"entries,omitempty"`
	Steps   []Step   `json:"steps,omitempty"`
	Words   []string `json:"words,omitempty"`

	// Data is the bytes that travel beside the JSON; nil when there are none.
	Data []byte `json:"-"`
}

// Entry is one file or directory in an answer to list.
type Entry struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
	Dir  bool   `json:"dir,omitempty"`
}

// Step is one command of a script: its text from offset Start to End, in bytes
// of UTF-8. Endless commands go on until they are interrupted.
type Step struct {
	Start   int    `json:"start"`
	End     int    `json:"end"`
	Text    string `json:"text"`
	Endless bool   `json:"endless,omitempty"`
}

// MaxHead bounds the JSON part of a frame, so that a runaway page cannot fill
// the program's memory with one message.
const MaxHead = 16 << 20

// Encode returns the frame's JSON part; Data travels beside it.
func (f *Frame) Encode() ([]byte, error) { return json.Marshal(f) }

// Decode reads a frame from its two parts and checks that it is a request this
// version knows, with the fields the kind needs.
func Decode(head, data []byte) (*Frame, error) {
	if len(head) > MaxHead {
		return nil, fmt.Errorf("frame of %d bytes: a frame's JSON may have %d, send large bodies as data", len(head), MaxHead)
	}
	f := &Frame{}
	if err := json.Unmarshal(head, f); err != nil {
		// A frame that cannot be read may still say whom to answer.
		id := struct {
			ID int `json:"id"`
		}{}
		_ = json.Unmarshal(head, &id)
		return &Frame{ID: id.ID}, fmt.Errorf("frame is not readable: %v", err)
	}
	f.Data = data
	return f, f.check()
}

var errID = errors.New("a request needs an id greater than 0")

// check says what is missing from a request.
func (f *Frame) check() error {
	if f.ID <= 0 && f.Kind != KindAck {
		return errID
	}
	need := func(ok bool, field string) error {
		if ok {
			return nil
		}
		return fmt.Errorf("%s needs the field %q", f.Kind, field)
	}
	switch f.Kind {
	case KindHello:
		if f.Protocol != Protocol {
			return fmt.Errorf("the page speaks protocol %d and the wasm module protocol %d: serve kubonsai.js and kubonsai.wasm from the same release", f.Protocol, Protocol)
		}
	case KindOpen:
		return need(f.Name != "", "name")
	case KindRun:
		return need(f.Terminal != "", "terminal")
	case KindStdin, KindInterrupt, KindKill, KindResize, KindAck, KindEdited:
		return need(f.Run > 0, "run")
	case KindStop:
		return need(f.Watch > 0, "watch")
	case KindFetch, KindWatch, KindRead, KindWrite, KindList, KindRemove, KindURL:
		return need(f.Path != "", "path")
	case KindSpeed:
		if !(f.Speed >= MinSpeed && f.Speed <= MaxSpeed) {
			return fmt.Errorf("speed %v is not between %v and %v", f.Speed, MinSpeed, MaxSpeed)
		}
	case KindPrepare, KindSteps, KindComplete, KindSnapshot, KindReset, KindPause, KindStep, KindStatus, KindClose:
	case KindRestore:
		return need(len(f.Data) > 0, "data")
	default:
		return fmt.Errorf("unknown request %q", f.Kind)
	}
	return nil
}
