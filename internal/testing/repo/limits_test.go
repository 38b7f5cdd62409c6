package repo

// maxVerbs is the share of sentences in comments that may use gives, says or tells.
const maxVerbs = 0.01

// limits are how many findings the excepted files of a directory may have. They only go down. Everywhere else no finding is allowed.
var limits = map[string]map[string]int{
	"internal/webhook/provision": {banned: 45},
}
