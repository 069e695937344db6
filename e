haul: error: the log holds merges of column family 'default', and no merge operator is stored for it: embed libhaul in the program that has it
