// Flags that several commands share, and how all of them are parsed.

package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/pflag"
)

// parse parses the command's flags. ok is false when the command should end
// with the returned status: after --help, or after a usage error.
func parse(c *command, fs *pflag.FlagSet, args []string, min, max int) (rest []string, status int, ok bool) {
	fs.SetOutput(os.Stderr)
	fs.Usage = func() {}
	err := fs.Parse(args)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		c.help(os.Stdout, fs.FlagUsages())
		return nil, 0, false
	case err != nil:
	case fs.NArg() < min || max >= 0 && fs.NArg() > max:
		err = fmt.Errorf("want %s", c.args)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "kubonsai %s: %v\nSee 'kubonsai %s --help'.\n", c.name, err, c.name)
		return nil, 2, false
	}
	return fs.Args(), 0, true
}

func newFlags(name string) *pflag.FlagSet {
	fs := pflag.NewFlagSet(name, pflag.ContinueOnError)
	fs.SortFlags = false
	return fs
}

func fail(name string, err error) int {
	fmt.Fprintf(os.Stderr, "kubonsai %s: %v\n", name, err)
	return 1
}
