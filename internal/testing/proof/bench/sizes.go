package main

import (
	"archive/zip"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// sizes measures the upload of each function and of each peer.
func (b *bench) sizes() error {
	for _, name := range append(functions[:], bare) {
		size, err := zipped(filepath.Join(b.bin, name))
		if err != nil {
			return err
		}
		b.seen.add(zipBytes, name, float64(size))
	}
	for _, p := range b.peers {
		size, err := zipped(p.upload...)
		if err != nil {
			return err
		}
		b.seen.add(zipBytes, p.name, float64(size))
	}
	return nil
}

// zipped returns the size of a zip of files and directories.
func zipped(paths ...string) (n counter, err error) {
	z := zip.NewWriter(&n)
	for _, path := range paths {
		err = errors.Join(err, filepath.WalkDir(path, func(name string, d os.DirEntry, err error) error {
			switch {
			case err == nil && d.Name() == "__pycache__":
				return filepath.SkipDir
			case err != nil || d.IsDir():
				return err
			}
			inside, err := filepath.Rel(filepath.Dir(path), name)
			if err != nil {
				return err
			}
			return add(z, name, inside)
		}))
	}
	return n, errors.Join(err, z.Close())
}

func add(z *zip.Writer, name, inside string) error {
	from, err := os.Open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := z.Create(inside)
	if err == nil {
		_, err = io.Copy(to, from)
	}
	return err
}

// counter counts the bytes written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
