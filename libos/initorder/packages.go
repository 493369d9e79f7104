package initorder

// packages are the paths of the packages that come first, sorted, as the linker writes them. mkimage puts a file in the place of this one.
var packages []string
