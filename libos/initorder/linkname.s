// This file is empty: its presence lets the package declare functions whose bodies the runtime provides.
