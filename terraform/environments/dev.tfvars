# Scales to zero and has no Redis: an idle month costs storage only.
deletion_protection = false
environment         = "dev"
keep_warm           = false
project_id          = "xynergy-dev"
project_number      = "123456789012"
