"""Factors: functions of finite variables with named axes, and their sum-product."""
