//go:build !js

// Outside a browser the program only says how it is meant to be built.

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "wasm/texttool is a module for kubonsai.wasm: build it with GOOS=js GOARCH=wasm")
	os.Exit(2)
}
