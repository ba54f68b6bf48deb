"""The inner loops in viper. Masks to 31 bits: viper ints are 64 bits wide on the Unix port and 32 on the device."""
