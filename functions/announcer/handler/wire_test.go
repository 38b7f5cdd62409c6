package handler

import (
	"testing"

	"procore-connect/internal/testing/kit/functiontest"
)

func TestMissingConfiguration(t *testing.T) {
	functiontest.Requires(t, New, "AWS_REGION", "CONNECTIONS_TABLE", "CONNECTIONS_TOPIC_ARN")
}
