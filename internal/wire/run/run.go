// Package run is the main of every function. It is apart from package wire so that what is no function does not link
// Lambda's runtime.
package run

import (
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"procore-connect/internal/wire"
)

// Function runs the Lambda function that build makes, and does not return. It exits with a message that names every
// variable of the environment that is missing or wrong.
func Function[F any](name string, build func(*wire.Base) (F, error)) {
	f, err := made(build)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
	lambda.Start(f)
}

func made[F any](build func(*wire.Base) (F, error)) (f F, err error) {
	base, err := wire.New()
	if err != nil {
		return f, err
	}
	return build(base)
}
