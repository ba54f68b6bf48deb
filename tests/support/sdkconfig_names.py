"""Which file defines each option that our sdkconfig fragments set: Kconfig of ESP-IDF, or MicroPython's own fragments.

Read there by a person and written down here, so that a misspelt option fails: Kconfig itself drops it without a word.
Paths under `components/` are ESP-IDF's, those under `boards/` are of MicroPython's ports/esp32.
"""

SOURCES = {
    "CONFIG_BOOTLOADER_APP_ANTI_ROLLBACK": "components/bootloader/Kconfig.projbuild",
    "CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE": "components/bootloader/Kconfig.projbuild",
    "CONFIG_BOOTLOADER_APP_SECURE_VERSION": "components/bootloader/Kconfig.projbuild",
    "CONFIG_BOOTLOADER_SKIP_VALIDATE_IN_DEEP_SLEEP": "components/bootloader/Kconfig.projbuild",
    "CONFIG_ESPTOOLPY_FLASHFREQ_80M": "boards/ESP32_GENERIC_S3/sdkconfig.board",
    "CONFIG_ESPTOOLPY_FLASHMODE_QIO": "boards/ESP32_GENERIC_S3/sdkconfig.board",
    "CONFIG_ESPTOOLPY_FLASHSIZE_4MB": "boards/sdkconfig.base",
    "CONFIG_ESPTOOLPY_FLASHSIZE_8MB": "boards/ESP32_GENERIC_S3/sdkconfig.board",
    "CONFIG_NVS_ENCRYPTION": "components/nvs_flash/Kconfig",
    "CONFIG_NVS_SEC_HMAC_EFUSE_KEY_ID": "components/nvs_sec_provider/Kconfig",
    "CONFIG_NVS_SEC_KEY_PROTECT_USING_HMAC": "components/nvs_sec_provider/Kconfig",
    "CONFIG_PARTITION_TABLE_CUSTOM": "boards/sdkconfig.base",
    "CONFIG_PARTITION_TABLE_OFFSET": "components/partition_table/Kconfig.projbuild",
    "CONFIG_SECURE_BOOT": "components/bootloader/Kconfig.projbuild",
    "CONFIG_SECURE_BOOT_BUILD_SIGNED_BINARIES": "components/bootloader/Kconfig.projbuild",
    "CONFIG_SECURE_BOOT_V2_ENABLED": "components/bootloader/Kconfig.projbuild",
    "CONFIG_SECURE_ENABLE_SECURE_ROM_DL_MODE": "components/bootloader/Kconfig.projbuild",
}

PORT = {
    "boards/mpconfigboard_esp32_common.cmake",
    "boards/mpconfigboard_esp32s3_common.cmake",
    "boards/sdkconfig.240mhz",
    "boards/sdkconfig.ble",
    "boards/sdkconfig.spiram_oct",
}
"""Files of MicroPython's ports/esp32 that our boards name, as 1.29 has them; until 1.28 some were called otherwise."""
