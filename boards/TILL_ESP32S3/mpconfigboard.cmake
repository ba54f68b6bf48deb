# Read by ports/esp32/CMakeLists.txt of MicroPython 1.29: make -C ports/esp32 BOARD_DIR=/path/to/boards/TILL_ESP32S3
include(boards/mpconfigboard_esp32s3_common.cmake)

# Nothing here speaks Bluetooth.
list(REMOVE_ITEM SDKCONFIG_DEFAULTS boards/sdkconfig.ble)

list(APPEND SDKCONFIG_DEFAULTS
    boards/sdkconfig.240mhz
    boards/sdkconfig.spiram_oct
    ${MICROPY_BOARD_DIR}/sdkconfig.board
)

# The sdkconfig files are copied as they are, so what depends on where this folder is has to be written here.
file(WRITE ${CMAKE_BINARY_DIR}/sdkconfig.table
    "CONFIG_PARTITION_TABLE_CUSTOM_FILENAME=\"${MICROPY_BOARD_DIR}/partitions.csv\"\n")
list(APPEND SDKCONFIG_DEFAULTS ${CMAKE_BINARY_DIR}/sdkconfig.table)

set(MICROPY_FROZEN_MANIFEST ${MICROPY_BOARD_DIR}/manifest.py)
