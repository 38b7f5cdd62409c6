//go:build !unix

package journal

import (
	"errors"
	"fmt"
	"os"
)

func lock(*os.File) (held bool, err error) {
	return false, fmt.Errorf("journal: state on disk: %w on this system", errors.ErrUnsupported)
}

func unlock(*os.File) error { return nil }
