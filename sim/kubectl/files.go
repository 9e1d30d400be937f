// This file words the errors of reading and writing the reader's files.

package kubectl

import (
	"errors"
	"fmt"
	"io/fs"
)

// openError is what opening a file gives, with the name as it was typed.
func openError(name string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return fmt.Errorf("%s %s: %v", pe.Op, name, pe.Err)
	}
	return err
}
