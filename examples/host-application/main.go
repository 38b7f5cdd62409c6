// Command host-application runs package host, a product whose tenants connect Procore companies.
//
//	LINK_SECRET='{"current":"k1","k1":"..."}' go run ./examples/host-application -connect https://connect.example.com
package main

import (
	"context"
	"flag"
	"log"
	"net/http"
	"os"
	"time"

	"procore-connect/examples/host-application/host"
	"procore-connect/pkg/link"
)

func main() {
	address := flag.String("listen", "127.0.0.1:3500", "`address` to listen on")
	connect := flag.String("connect", "http://127.0.0.1:3000", "`URL` of the deployment: its output AppUrl")
	flag.Parse()
	keys, err := link.ParseKeys(os.Getenv("LINK_SECRET"))
	if err != nil {
		log.Fatalln("LINK_SECRET:", err)
	}
	h := host.New(&link.Host{PublicURL: *connect, Keys: fixed{keys}}, "http://"+*address)
	server := &http.Server{Addr: *address, Handler: h, ReadHeaderTimeout: 10 * time.Second}
	log.Fatalln(server.ListenAndServe())
}

// fixed is the secret as it was when the program started. Read it again every few minutes instead, and a rotation of the
// key needs no restart.
type fixed struct{ keys *link.Keys }

func (f fixed) Get(context.Context) (*link.Keys, error)    { return f.keys, nil }
func (f fixed) Reread(context.Context) (*link.Keys, error) { return f.keys, nil }
