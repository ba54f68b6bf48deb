#ifndef MICROPY_HW_BOARD_NAME
#define MICROPY_HW_BOARD_NAME "microtill TILL_ESP32S3"
#endif
#define MICROPY_HW_MCU_NAME "ESP32S3"

// The console is the chip's USB; pins 43 and 44 stay quiet.
#define MICROPY_HW_ENABLE_UART_REPL (0)

// Nothing here speaks Bluetooth or ESP-NOW.
#define MICROPY_PY_BLUETOOTH (0)
#define MICROPY_PY_ESPNOW (0)

// No SD card, no sound but the buzzer.
#define MICROPY_HW_ENABLE_SDCARD (0)
#define MICROPY_PY_MACHINE_I2S (0)

// No USB device but the console: what is plugged into a till cannot make it a keyboard or a disk.
#define MICROPY_HW_ENABLE_USB_RUNTIME_DEVICE (0)
