alert_emails      = ["operations@example.com"]
allowed_origins   = ["https://app.example.com"]
database_location = "nam5"
environment       = "prod"
gradual           = true
project_id        = "xynergy-prod"
project_number    = "210987654321"

budget = {
  amount          = 500
  billing_account = "000000-000000-000000"
}

redis = {
  memory_gb = 1
}
