package consumer

import (
	"testing"

	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/internal/wire"
)

func TestMissingConfiguration(t *testing.T) {
	functiontest.Requires(t, func(base *wire.Base) (Function, error) { return build(base, nil, nil) }, "AWS_REGION", "PROCORE_ENVIRONMENT", "PUBLIC_URL", "KEYS_SECRET_ID", "APP_SECRET_ID", "GRANTS_TABLE", "CONNECTIONS_TABLE", "SPENDS_TABLE", "INBOX_TABLE", "RESCUE_QUEUE_URL")
}

func TestTable(t *testing.T) {
	functiontest.Requires(t, func(*wire.Base) (string, error) {
		_, name, err := Table("RFIS_TABLE")
		return name, err
	}, "AWS_REGION", "RFIS_TABLE")
}
