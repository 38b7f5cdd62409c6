package repo

// limits are how many findings each tree may have. They only go down; "" are the files of the root.
var limits = map[string]map[string]int{
	"":                          {banned: 14, columns: 7, long: 2},
	".ci":                       {banned: 1},
	"cmd":                       {banned: 6, verbs: 2},
	"docs":                      {banned: 79, columns: 229, long: 50},
	"examples":                  {banned: 18, verbs: 6},
	"functions":                 {banned: 58, verbs: 16, replaced: 2},
	"internal/connect":          {banned: 6, verbs: 7},
	"internal/platform":         {banned: 12, verbs: 18, boolean: 3},
	"internal/testing/chromium": {banned: 6},
	"internal/testing/fake":     {banned: 24, verbs: 39},
	"internal/testing/kit":      {banned: 4, verbs: 13},
	"internal/testing/proof":    {banned: 36, verbs: 54, boolean: 3, replaced: 3},
	"internal/testing/repo":     {banned: 7},
	"internal/testing/sam":      {banned: 3},
	"internal/testing/stack":    {banned: 6, verbs: 8},
	"internal/upkeep":           {banned: 4, verbs: 5},
	"internal/webhook":          {banned: 73, verbs: 15},
	"internal/wire":             {verbs: 2},
	"pkg/procore":               {banned: 41, verbs: 44, boolean: 3, replaced: 17},
	"pkg/tokens":                {banned: 55, boolean: 2, replaced: 8},
	"spec":                      {banned: 13, columns: 22, long: 1},
}
