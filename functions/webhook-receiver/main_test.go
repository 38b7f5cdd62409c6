package main

import (
	"testing"

	"procore-connect/internal/testing/kit/functiontest"
)

func TestMissingConfiguration(t *testing.T) {
	functiontest.Requires(t, func() error {
		_, _, err := newHandler()
		return err
	}, "AWS_REGION", "WEBHOOK_SECRET_ID", "INBOX_TABLE")
}
