package main

import (
	"testing"

	"procore-connect/internal/testing/kit/functiontest"
)

func TestMissingConfiguration(t *testing.T) {
	functiontest.Requires(t, func() error {
		_, err := newDispatcher()
		return err
	}, "AWS_REGION", "INBOX_TABLE", "EVENTS_QUEUE_URL")
}
