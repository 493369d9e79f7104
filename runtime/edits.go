package runtime

//go:generate go test -run ^TestPage$ . -update

// edits is everything that changes in the user's own files; what is added lies below _goroot/src.
var edits = []Edit{}
