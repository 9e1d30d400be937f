// The errors of the file tree: the texts of Linux's errno values in lower case,
// on every platform, which errors.Is also knows as fs.ErrNotExist and so on.

package vfs

import (
	"errors"
	"io/fs"
	"strings"
)

// Errno is a file error in the words of Linux, lower case.
type Errno string

// The errors that operations return inside a *fs.PathError.
const (
	ENOENT    Errno = "no such file or directory"
	EEXIST    Errno = "file exists"
	EISDIR    Errno = "is a directory"
	ENOTDIR   Errno = "not a directory"
	ENOTEMPTY Errno = "directory not empty"
	EACCES    Errno = "permission denied"
	EPERM     Errno = "operation not permitted"
	EROFS     Errno = "read-only file system"
	ENOSPC    Errno = "no space left on device"
	ELOOP     Errno = "too many levels of symbolic links"
	EINVAL    Errno = "invalid argument"
	EXDEV     Errno = "invalid cross-device link"
	EBUSY     Errno = "device or resource busy"
	EBADF     Errno = "bad file descriptor"
	ETOOLONG  Errno = "file name too long"
	EFBIG     Errno = "file too large"
)

func (e Errno) Error() string { return string(e) }

// Is maps the errors to those of package io/fs.
func (e Errno) Is(target error) bool {
	switch target {
	case fs.ErrNotExist:
		return e == ENOENT
	case fs.ErrExist:
		return e == EEXIST || e == ENOTEMPTY
	case fs.ErrPermission:
		return e == EACCES || e == EPERM || e == EROFS
	case fs.ErrInvalid:
		return e == EINVAL
	case fs.ErrClosed:
		return e == EBADF
	}
	return false
}

// Reason is the error as tools print it after the file's name: without
// operation and path, with a capital letter.
func Reason(err error) string {
	if err == nil {
		return ""
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	s := err.Error()
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func pathError(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: path, Err: err}
}
