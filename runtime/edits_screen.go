package runtime

// screenEdits are those of the group [Screen]: the console's output goes to the screen, too (exo_screen_amd64.go).
var screenEdits = []Edit{
	{
		File: "runtime/exo_console_amd64.go", Decl: "exoConsoleSend", Op: Rename, Text: "exoSerialSend", Arch: "amd64",
		Why: "what the program writes is shown on the screen",
	},
	{
		File: "runtime/exo_console_amd64.go", Decl: "exoPutc", Op: Rename, Text: "exoSerialPutc", Arch: "amd64",
		Why: "what a dying image has to say is shown, too: the screen may be all there is",
	},
	{
		File: "runtime/exo_boot_amd64.go", Decl: "exoBoot", Op: Redirect, Text: "exoClockInit exoScreenBoot", Arch: "amd64",
		Why: "a screen is found once there are page tables to map it",
	},
	{
		File: "runtime/exo_hw.go", Decl: "exoHwConsoleWrite", Op: Redirect, Text: "exoKernel exoScreenKernel", Arch: "amd64",
		Why: "what the program writes is drawn after each piece, a few letters in a call of the kernel side, with interrupts between",
	},
}
