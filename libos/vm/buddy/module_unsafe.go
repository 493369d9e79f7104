//go:build hardtack

package buddy

import _ "unsafe" // for linkname

//go:linkname need runtime.exoPoolNeed
//go:linkname start runtime.exoPoolStart
//go:linkname add runtime.exoPoolAdd
//go:linkname take runtime.exoPoolTake
//go:linkname give runtime.exoPoolGive
//go:linkname pick runtime.exoPoolPick
