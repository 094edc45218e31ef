"""What an operator looks at: the HTTP API and the dashboard."""
