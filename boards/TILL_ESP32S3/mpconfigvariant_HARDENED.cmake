# make -C ports/esp32 BOARD_DIR=/path/to/boards/TILL_ESP32S3 BOARD_VARIANT=HARDENED
# For units in the field: what runs is signed, what is kept is encrypted, and there is no prompt. Its first start burns
# fuses that nothing takes back: read boards/README.md first.
list(APPEND SDKCONFIG_DEFAULTS ${MICROPY_BOARD_DIR}/sdkconfig.hardened)

file(WRITE ${CMAKE_BINARY_DIR}/sdkconfig.table
    "CONFIG_PARTITION_TABLE_CUSTOM_FILENAME=\"${MICROPY_BOARD_DIR}/partitions_hardened.csv\"\n")

set(MICROPY_FROZEN_MANIFEST ${MICROPY_BOARD_DIR}/manifest_hardened.py)

list(APPEND MICROPY_DEF_BOARD
    MICROPY_HW_BOARD_NAME="microtill TILL_ESP32S3, hardened"
    MICROPY_VFS_ROM=1
)
