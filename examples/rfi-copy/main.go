// Command rfi-copy is a consumer that keeps a copy of the RFIs of all connected companies in
// its own table. It runs in place of event-consumer, and make run creates the table:
//
//	make run ARGS="-consumer examples/rfi-copy"
//
// For a deployment, add this directory's template.yaml to the repository's, and build with
//
//	CONSUMER=examples/rfi-copy sam build
package main

import (
	"fmt"
	"os"

	"procore-connect/pkg/consumer"
)

func main() {
	db, table, err := consumer.Table("RFIS_TABLE")
	if err != nil {
		fmt.Fprintln(os.Stderr, "rfi-copy:", err)
		os.Exit(1)
	}
	rfis := &copies{db: db, table: table}
	consumer.Run(rfis.handle)
}
