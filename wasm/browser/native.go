//go:build !js

// Outside a browser the program only says how it is meant to be built; the
// package's portable files are tested natively.

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "wasm/browser runs in a Web Worker: build it with GOOS=js GOARCH=wasm")
	os.Exit(2)
}
