package repo

// maxVerbs is the share of sentences in comments that may use gives, says or tells. It only goes down.
const maxVerbs = 0.035

// limits are how many findings each tree may have. They only go down; "" are the files of the root.
var limits = map[string]map[string]int{
	"cmd":                    {banned: 6},
	"examples":               {banned: 17},
	"functions":              {banned: 37},
	"internal/platform":      {banned: 12, boolean: 3},
	"internal/testing/fake":  {banned: 1},
	"internal/testing/proof": {banned: 23, replaced: 3},
	"internal/upkeep":        {banned: 3},
	"internal/webhook":       {banned: 64},
	"pkg/procore":            {banned: 15, boolean: 1, replaced: 17},
	"pkg/tokens":             {banned: 51, boolean: 2, replaced: 8},
}
