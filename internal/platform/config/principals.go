package config

// Principals is by whose grants the app works with companies.
type Principals struct {
	// Users connect companies: each user authorizes the app.
	Users bool
	// ServiceAccount works with the companies whose administrators installed the app. No
	// user authorizes anything.
	ServiceAccount bool
}

// Principals reads PROCORE_PRINCIPAL: user, service-account or both. Empty means user.
func (e *Env) Principals() Principals {
	switch e.Optional("PROCORE_PRINCIPAL") {
	case "", "user":
		return Principals{Users: true}
	case "service-account":
		return Principals{ServiceAccount: true}
	case "both":
		return Principals{Users: true, ServiceAccount: true}
	}
	e.Fail("PROCORE_PRINCIPAL", "is neither user, service-account nor both")
	return Principals{}
}
