//go:build unix

package main

import (
	"os"
	"path/filepath"

	"procore-connect/internal/testing/fake/lambdatest"
)

// certificate makes one for loopback, which the functions trust by
// SSL_CERT_FILE.
func (w *world) certificate(dir string) error {
	server, root, err := lambdatest.Certificate()
	if err != nil {
		return err
	}
	server.NextProtos = []string{"h2", "http/1.1"}
	w.tls, w.rootFile = server, filepath.Join(dir, "root.pem")
	return os.WriteFile(w.rootFile, root, 0o600)
}
