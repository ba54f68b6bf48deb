#define MICROPY_HW_BOARD_NAME "microtill TILL_CYD"
#define MICROPY_HW_MCU_NAME "ESP32"

// Nothing here speaks Bluetooth or ESP-NOW; without them there is more room for the terminal, in flash and in RAM.
#define MICROPY_PY_BLUETOOTH (0)
#define MICROPY_PY_ESPNOW (0)

// No SD card, no Ethernet, no sound but the buzzer.
#define MICROPY_HW_ENABLE_SDCARD (0)
#define MICROPY_PY_NETWORK_LAN (0)
#define MICROPY_PY_MACHINE_I2S (0)
#define MICROPY_PY_MACHINE_DAC (0)

// The data of the build (the font) is a ROMFS in memory, which frozen_boot.py mounts.
#define MICROPY_VFS_ROM (1)
