"""A run of the whole federation: hospitals, devices, rounds, their record and its verification."""
