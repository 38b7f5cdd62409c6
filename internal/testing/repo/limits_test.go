package repo

// maxVerbs is the share of sentences in comments that may use gives, says or tells.
const maxVerbs = 0.01

// limits are how many findings each tree may have. They only go down.
var limits = map[string]map[string]int{
	"internal/webhook": {banned: 63},
	"pkg/tokens":       {banned: 51, boolean: 2, replaced: 8},
}
