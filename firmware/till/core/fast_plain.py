"""Plain twins of fast_viper.py, for ports without a native emitter. Same names, same results."""
