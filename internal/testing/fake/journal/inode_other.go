//go:build !linux && !darwin

package journal

import "errors"

func inode(string) (string, error) { return "", errors.ErrUnsupported }
